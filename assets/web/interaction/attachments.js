// Files that go with a message: read, checked against the daemon's limits, shown as chips.

import { h } from "../core/dom.js";
import { formatBytes } from "../core/format.js";
import { t } from "../core/i18n.js";
import { store } from "../core/store.js";
import { icon } from "../ui/icons.js";

const most = 20;
const textTypes = /^(text\/|application\/(json|xml|javascript|x-sh|x-yaml|yaml|toml|x-ndjson|sql))|\+(json|xml)$/;

/** Reads files into attachments. `{attachments, problems}`: a problem is a text for the person. */
export async function readFiles(files, present) {
  const settings = store.settings.peek() ?? {};
  const limit = Math.min(settings.sessions?.maxAttachmentBytes ?? 5_242_880, (settings.server?.maxBodyBytes ?? 8_388_608) - 65_536);
  let used = present.reduce((sum, each) => sum + sizeOf(each), 0);
  const attachments = [];
  const problems = [];
  for (const file of files) {
    const name = file.name || t("interaction.attach.pasted");
    if (present.length + attachments.length >= most) {
      problems.push(t("interaction.attach.tooMany", { count: most }));
      break;
    }
    // Base64 has four characters for three bytes; a file that can't fit isn't read.
    if (used + Math.ceil(file.size / 3) * 4 > limit && used + file.size > limit) {
      problems.push(t("interaction.attach.tooLarge", { name, size: formatBytes(file.size), limit: formatBytes(limit) }));
      continue;
    }
    try {
      const attachment = await readFile(file, name);
      if (used + sizeOf(attachment) > limit) {
        problems.push(t("interaction.attach.tooLarge", { name, size: formatBytes(file.size), limit: formatBytes(limit) }));
        continue;
      }
      used += sizeOf(attachment);
      attachments.push(attachment);
    } catch {
      problems.push(t("interaction.attach.unreadable", { name }));
    }
  }
  return { attachments, problems };
}

async function readFile(file, name) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes.length === 0) throw new Error("empty");
  const isText = textTypes.test(file.type) || file.type === "";
  if (isText && !bytes.includes(0)) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      return { name, mediaType: file.type.split(";")[0] || "text/plain", text };
    } catch {
      // Not UTF-8: sent as it is.
    }
  }
  return { name, mediaType: file.type.split(";")[0] || "application/octet-stream", data: base64(bytes) };
}

function base64(bytes) {
  let binary = "";
  for (let start = 0; start < bytes.length; start += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(binary);
}

/** What counts against the limit. */
export function sizeOf(attachment) {
  return attachment.data?.length ?? new TextEncoder().encode(attachment.text ?? attachment.uri ?? "").length;
}

function bytesOf(attachment) {
  return attachment.data ? Math.floor((attachment.data.length * 3) / 4) : sizeOf(attachment);
}

/** Whether any of them is an image. */
export function hasImages(attachments) {
  return attachments.some((each) => each.mediaType?.startsWith("image/") && each.data);
}

const safeImages = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** A chip for an attachment, with a button to take it away when `remove` is given. */
export function attachmentChip(attachment, remove) {
  const name = attachment.name ?? attachment.uri ?? attachment.mediaType;
  const picture = attachment.data && safeImages.has(attachment.mediaType)
    ? h("img", { class: "attachment-picture", src: `data:${attachment.mediaType};base64,${attachment.data}`, alt: "" })
    : icon("file");
  return h("li", { class: "attachment-chip" },
    picture,
    h("span", { class: "attachment-name", title: name }, name),
    h("span", { class: "attachment-size" }, formatBytes(bytesOf(attachment))),
    remove && h("button", {
      type: "button", class: "icon-button small", "aria-label": t("interaction.attach.remove", { name }), on: { click: remove },
    }, icon("close")));
}
