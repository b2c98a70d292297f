import { useState } from "react";
import { Icon } from "./icon.tsx";
import { applyTheme, presentTheme } from "./theme.ts";

/** Light or dark: as the system has it until somebody chooses. */
export function ThemeToggle() {
  const [theme, setTheme] = useState(presentTheme);
  const other = theme === "dark" ? "light" : "dark";
  function toggle() {
    applyTheme(other);
    setTheme(other);
  }
  return (
    <button
      type="button"
      className="icon-button theme-toggle"
      title={`Use the ${other} theme`}
      aria-label={`Use the ${other} theme`}
      onClick={toggle}
    >
      <Icon name={theme === "dark" ? "sun" : "moon"} />
    </button>
  );
}
