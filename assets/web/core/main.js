// The entry: words, preferences, the frame, the connection.

import conversationStrings from "../strings/conversation.js";
import interactionStrings from "../strings/interaction.js";
import shellStrings from "../strings/shell.js";
import viewsStrings from "../strings/views.js";
import { redeemTicket } from "../shell/access.js";
import { mount } from "../shell/shell.js";
import { connection } from "./connection.js";
import { register } from "./i18n.js";
import { applyPreferences } from "./preferences.js";

for (const strings of [shellStrings, conversationStrings, interactionStrings, viewsStrings]) register(strings);
applyPreferences();
await redeemTicket();
connection.start();
mount(document.getElementById("app"));
