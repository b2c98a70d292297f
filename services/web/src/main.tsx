import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { restoreTheme } from "./theme.ts";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/sidebar.css";
import "./styles/people.css";
import "./styles/room.css";
import "./styles/message.css";
import "./styles/timer.css";
import "./styles/notices.css";

restoreTheme();

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
