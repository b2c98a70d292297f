const digits = (value: number, width: number) => value.toString(36).padStart(width, "0");

/**
 * Makes clientMessageIds: printable ASCII, 17 characters (time, counter, random in base 36). They ascend, also when the
 * clock steps back, because the server keeps its index of a sender's ids warm where they are added at its end.
 */
export function createMessageIds(now: () => number = Date.now, random: () => number = Math.random): () => string {
  let timeMs = 0;
  let counter = 0;
  return () => {
    const nowMs = now();
    if (nowMs > timeMs) {
      timeMs = nowMs;
      counter = 0;
    } else if (++counter === 36 ** 3) {
      timeMs++;
      counter = 0;
    }
    return digits(timeMs, 9) + digits(counter, 3) + digits(Math.floor(random() * 36 ** 5), 5);
  };
}
