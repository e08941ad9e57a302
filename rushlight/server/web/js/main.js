// Where the page begins.

import { App } from "./app.js";
import { byId, icon } from "./dom.js";
import { startShortcuts } from "./shortcuts.js";
import { applyTheme, chosenTheme, nextTheme } from "./theme.js";
import { showIdeas } from "./welcome.js";

applyTheme();
const app = new App();

const themeButton = byId("theme");
const showTheme = (theme) => {
  themeButton.replaceChildren(icon(theme));
  themeButton.title = `Colours: ${theme === "system" ? "as the system" : theme}`;
  themeButton.setAttribute("aria-label", themeButton.title);
};
showTheme(chosenTheme());
themeButton.addEventListener("click", () => showTheme(nextTheme()));

byId("new").addEventListener("click", () => app.begin());
byId("settings").addEventListener("click", () => app.settings.open(app.conversation));
byId("to-end").addEventListener("click", () => app.follow.start());
byId("thread").addEventListener("click", ({ target }) => {
  const button = target.closest("[data-action=copy-code]");
  if (button) app.copy(button.closest(".code").querySelector("pre").textContent, button);
});
showIdeas((text) => {
  app.composer.text = text;
  app.composer.focus();
});

startShortcuts({
  focus: () => app.composer.focus(),
  search: () => app.library.sidebar.focusSearch(),
  begin: () => app.begin(),
  again: () => app.again(),
  sidebar: () => app.library.sidebar.toggle(),
  settings: () => app.settings.open(app.conversation),
  escape: () => {
    if (app.library.sidebar.covers) app.library.sidebar.toggle(false);
    else app.stop();
  },
});

await app.keeper.takeOver();
await app.library.open();
app.watch.look();
if (matchMedia("(hover: hover)").matches) app.composer.focus();
