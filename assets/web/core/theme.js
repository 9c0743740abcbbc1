// Before anything is drawn: a chosen theme must not come after the first picture. Not a module, so that it is waited for.
try {
  const { theme } = JSON.parse(localStorage.getItem("codeai-hub.preferences") ?? "{}");
  if (["light", "dark", "contrast"].includes(theme)) document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the system's theme it is.
}
