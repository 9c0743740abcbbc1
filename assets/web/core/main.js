// The entry: brings strings and modules together and mounts the shell.

import { register } from "./i18n.js";
import { applyPreferences } from "./preferences.js";
import { connection } from "./connection.js";
import shellStrings from "../strings/shell.js";

register(shellStrings);
/** Modules of others may be missing while the client is being built. */
for (const name of ["conversation", "interaction", "views"]) {
  try {
    register((await import(`../strings/${name}.js`)).default);
  } catch (error) {
    console.warn(`strings/${name}.js`, error);
  }
}
applyPreferences();
const { mount } = await import("../shell/shell.js");
mount(document.getElementById("app"));
connection.start();
