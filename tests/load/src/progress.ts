/** One line on stderr that says what goes on, so that stdout holds the figures alone. */

export interface Progress {
  /** A new stage of the run. */
  stage(title: string): void;
  /** How far the stage is; only shown on a terminal. */
  step(text: string): void;
  /** A line that stays. */
  line(text: string): void;
  clear(): void;
}

export function createProgress(stream: NodeJS.WriteStream): Progress {
  let stage = "";
  const show = (text: string): void => {
    stream.write(`\r\x1b[K${text}`.slice(0, (stream.columns ?? 80) + 3));
  };
  const clear = (): void => {
    if (stream.isTTY) stream.write("\r\x1b[K");
  };
  return {
    stage(title) {
      stage = title;
      if (stream.isTTY) show(stage);
      else stream.write(`${stage} …\n`);
    },
    step(text) {
      if (stream.isTTY) show(`${stage}: ${text}`);
    },
    line(text) {
      clear();
      stream.write(`${text}\n`);
    },
    clear,
  };
}
