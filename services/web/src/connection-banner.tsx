import { useConnection } from "@parley/react";
import { useEffect, useState } from "react";

/** A blink of the connection is nobody's business. */
const patienceMs = 400;

/** Says when the connection is gone, and what that means. */
export function ConnectionBanner() {
  const { state, error } = useConnection();
  const [late, setLate] = useState(false);
  const away = state === "reconnecting" || state === "connecting";
  useEffect(() => {
    if (!away) return setLate(false);
    const timer = setTimeout(setLate, patienceMs, true);
    return () => clearTimeout(timer);
  }, [away]);
  return (
    <div className="banner-place" role="status">
      {state === "closed" ? (
        <div className="banner banner-ended">
          {error ? `The server ended this session: ${error.message}. ` : "You have left. "}
          <button type="button" className="link-button" onClick={() => location.reload()}>
            Connect again
          </button>
        </div>
      ) : away && late ? (
        <div className="banner">
          <span className="spinner" aria-hidden="true" />
          {state === "connecting" ? "Connecting…" : "Reconnecting… your messages will be sent"}
        </div>
      ) : null}
    </div>
  );
}
