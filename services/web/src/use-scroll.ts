import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

/** So near the end counts as there, in pixels. */
const nearPx = 48;

/** How far down in the list an element stands; `offsetTop` would round it. */
const topIn = (list: HTMLElement, element: HTMLElement): number =>
  element.getBoundingClientRect().top - list.getBoundingClientRect().top + list.scrollTop;

/**
 * Keeps a list of messages where the reader expects it: at its end while they are there, and on the same message while
 * older ones are put before it. `firstSeq` is the seq of the first message in the list.
 */
export function useScroll(list: RefObject<HTMLElement | null>, firstSeq: number | undefined) {
  const [atEnd, setAtEnd] = useState(true);
  const pinned = useRef(true);
  /** The last message, and how far down it stood: what is put before it, or changes height there, moves it. */
  const anchor = useRef<{ element: HTMLElement; top: number; firstSeq: number } | null>(null);
  const begun = useRef(false);

  const toEnd = useCallback(() => {
    const element = list.current;
    if (!element) return;
    pinned.current = true;
    setAtEnd(true);
    element.scrollTop = element.scrollHeight;
  }, [list]);

  const onScroll = useCallback(() => {
    const element = list.current;
    if (!element) return;
    pinned.current = element.scrollHeight - element.scrollTop - element.clientHeight < nearPx;
    setAtEnd(pinned.current);
  }, [list]);

  // After every change of the list: what was in view stays in view.
  useLayoutEffect(() => {
    const element = list.current;
    if (!element || firstSeq === undefined) return;
    const divider = begun.current ? null : element.querySelector<HTMLElement>("[data-divider]");
    const before = anchor.current;
    if (divider) {
      element.scrollTop = divider.offsetTop - element.clientHeight / 3;
      pinned.current = element.scrollHeight - element.scrollTop - element.clientHeight < nearPx;
      setAtEnd(pinned.current);
    } else if (pinned.current) element.scrollTop = element.scrollHeight;
    else if (before?.element.isConnected && before.firstSeq !== firstSeq)
      element.scrollTop += topIn(element, before.element) - before.top;
    begun.current = true;
    const bottom = [...element.querySelectorAll<HTMLElement>("[data-seq]")].at(-1);
    anchor.current = bottom ? { element: bottom, top: topIn(element, bottom), firstSeq } : null;
  });

  // The window, the keyboard of a phone or the composer took some of the room.
  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      if (pinned.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [list]);

  return { atEnd, toEnd, onScroll };
}
