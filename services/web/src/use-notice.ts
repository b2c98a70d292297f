import { useEffect, useState } from "react";

export interface Notice {
  kind: "alert" | "status";
  text: string;
}

const shownMs = 6_000;

/** Something to say for a moment: an alert, or a word. */
export function useNotice(): [Notice | null, (notice: Notice | null) => void] {
  const [notice, setNotice] = useState<Notice | null>(null);
  useEffect(() => {
    if (!notice) return;
    const timer = setTimeout(setNotice, shownMs, null);
    return () => clearTimeout(timer);
  }, [notice]);
  return [notice, setNotice];
}
