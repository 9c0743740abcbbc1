// The entry: words, preferences, the frame, the connection.

import shellStrings from "../strings/shell.js";
import { redeemTicket } from "../shell/access.js";
import { mount } from "../shell/shell.js";
import { connection } from "./connection.js";
import { register } from "./i18n.js";
import { applyPreferences } from "./preferences.js";

register(shellStrings);
// Modules may be missing while the client is being built.
await Promise.all(["conversation", "interaction", "views"].map(async (name) => {
  try {
    register((await import(`../strings/${name}.js`)).default);
  } catch (error) {
    console.warn(`strings/${name}.js`, error);
  }
}));
applyPreferences();
await redeemTicket();
connection.start();
mount(document.getElementById("app"));
