/** The page's colours, light or dark: tokens.css has both. */
export type Theme = "light" | "dark";

const storageKey = "parley.theme";

const chosen = (): Theme | null => {
  const theme = localStorage.getItem(storageKey);
  return theme === "light" || theme === "dark" ? theme : null;
};

export const presentTheme = (): Theme =>
  chosen() ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

export function applyTheme(theme: Theme): void {
  localStorage.setItem(storageKey, theme);
  document.documentElement.dataset.theme = theme;
}

/** Before the first rendering, so that nothing flashes. */
export function restoreTheme(): void {
  const theme = chosen();
  if (theme) document.documentElement.dataset.theme = theme;
}
