// Import: of a log in a file, or of sessions that Claude Code or Codex had outside.

import { connection } from "../core/connection.js";
import { h, replace } from "../core/dom.js";
import { formatBytes, formatRelative } from "../core/format.js";
import { t } from "../core/i18n.js";
import { navigate, sessionHref } from "../core/route.js";
import { store } from "../core/store.js";
import { baseName, matchesWords, visible } from "../core/text.js";
import { openDialog } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { toast } from "../ui/toast.js";

export function importDialog() {
  const file = h("input", { type: "file", id: "import-file", class: "visually-hidden", accept: ".jsonl,.ndjson,application/x-ndjson" });
  const fileText = h("span", null, t("shell.import.choose"));
  const progress = h("progress", { max: 100, hidden: true, "aria-label": t("shell.import.running") });
  const find = h("input", { class: "input", type: "search", placeholder: t("shell.import.filter"), "aria-label": t("shell.import.filter") });
  const list = h("ul", { class: "import-list" });
  const status = h("p", { class: "hint", role: "status" }, t("shell.import.looking"));
  let found = [];

  const dialog = openDialog({
    title: t("shell.import.title"),
    class: "dialog-wide",
    body: h("div", { class: "stack" },
      h("label", { class: "drop", htmlFor: "import-file" }, icon("file"), file, fileText),
      progress,
      h("h3", { class: "label" }, t("shell.import.outside")),
      find, status, list),
    initialFocus: find,
    onClose: () => stopListening(),
  });
  const stopListening = connection.on("session:import", ({ payload }) => {
    if (payload.status !== "running" || !payload.totalBytes) return;
    progress.hidden = false;
    progress.value = (payload.bytes / payload.totalBytes) * 100;
  });

  async function run(request, target) {
    if (target) target.disabled = true;
    progress.hidden = false;
    progress.removeAttribute("value");
    try {
      const record = store.take(await request());
      dialog.close();
      navigate(sessionHref(record.id));
      toast(t("shell.import.done"), { kind: "ok" });
    } catch (error) {
      const line = error.details?.line;
      dialog.fail(line ? t("shell.import.badLine", { line, message: visible(error.message, 400) }) : visible(error.message, 600));
    } finally {
      progress.hidden = true;
      if (target) target.disabled = false;
    }
  }

  function take(blob) {
    if (!blob) return;
    fileText.textContent = `${visible(blob.name, 80)} · ${formatBytes(blob.size)}`;
    run(() => connection.api("POST", "/sessions/import", blob, { contentType: "application/x-ndjson" }));
  }

  file.addEventListener("change", () => take(file.files[0]));
  const drop = dialog.element.querySelector(".drop");
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });

  function draw() {
    const query = find.value.trim();
    const shown = found.filter((each) => matchesWords(`${each.title ?? ""} ${each.firstPrompt ?? ""} ${each.workspace} ${each.providerId}`.toLowerCase(), query));
    status.textContent = shown.length ? t("shell.import.count", { count: shown.length }) : t("shell.import.none");
    replace(list, shown.slice(0, 200).map((each) => {
      const provider = store.provider(each.providerId);
      const action = each.sessionId
        ? h("a", { class: "button quiet", href: sessionHref(each.sessionId), on: { click: () => dialog.close() } }, t("shell.import.open"))
        : h("button", {
          type: "button", class: "button", disabled: Boolean(each.problem),
          on: {
            click: (event) => run(() => connection.api("POST", "/sessions/import", {
              source: { provider: each.providerId, nativeSessionId: each.nativeSessionId },
            }), event.currentTarget),
          },
        }, t("shell.import.import"));
      return h("li", { class: "import-row" },
        h("div", { class: "import-text" },
          h("span", { class: "row-title", dir: "auto" }, visible(each.title || each.firstPrompt || t("shell.untitled"), 160)),
          h("span", { class: "row-meta" }, visible(provider?.name ?? each.providerId, 40), " · ", visible(baseName(each.workspace), 60), " · ", formatRelative(each.updatedAt), " · ", formatBytes(each.bytes)),
          each.problem ? h("span", { class: "row-meta text-failed" }, visible(each.problem, 200)) : null),
        action);
    }));
  }

  find.addEventListener("input", draw);
  connection.api("GET", "/sessions/importable?limit=500").then((answer) => {
    found = answer.sessions;
    draw();
  }, (error) => {
    status.textContent = "";
    dialog.fail(error);
  });
}
