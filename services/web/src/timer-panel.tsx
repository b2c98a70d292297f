import { formatDuration, type RoomTimer, type TimerPhase, type TimerSnapshot } from "@parley/client";
import { type SubmitEvent, useEffect, useId, useState } from "react";
import { TimerRing } from "./timer-ring.tsx";
import { useNotice } from "./use-notice.ts";

const phaseNames: Record<TimerPhase, string> = {
  focus: "Focus",
  shortBreak: "Short break",
  longBreak: "Long break",
};
const usualTime = "00:25:00";

/** The room's countdown, which everybody in it sees and controls. */
export function TimerPanel({ timer, snapshot }: { timer: RoomTimer; snapshot: TimerSnapshot }) {
  const [notice, setNotice] = useNotice();
  const { timer: view, seconds, notify } = snapshot;
  const running = view?.state === "running";

  // Who wants to be notified is told in answers only; a room nobody set a timer in has none yet.
  useEffect(() => void timer.load().catch(() => {}), [timer]);
  useEffect(
    () => timer.on("finished", ({ phase }) => setNotice({ kind: "status", text: `${phaseNames[phase]} is over` })),
    [timer, setNotice],
  );

  function act(asked: Promise<unknown>) {
    setNotice(null);
    asked.catch((error: Error) => setNotice({ kind: "alert", text: error.message }));
  }

  const durationMs = view?.durationMs ?? 1;
  // While it runs, the ring moves towards the next second, and is there when it comes.
  const left = ((running ? Math.max(0, seconds - 1) : seconds) * 1_000) / durationMs;

  return (
    <section className="timer" aria-label="Timer">
      <div className="timer-face">
        <TimerRing left={view ? left : 1} moving={running} />
        <p className="timer-time" role="timer" aria-label="Time left">
          {view ? snapshot.time : usualTime}
        </p>
        <p className="timer-phase">
          {view?.cycle ? `${phaseNames[view.phase]} · ${view.round} of ${view.cycle.rounds}` : stateName(view?.state)}
        </p>
      </div>
      <div className="timer-side">
        <div className="timer-buttons">
          <button type="button" className="button" onClick={() => act(timer.start())}>
            Start
          </button>
          <button type="button" className="button button-plain" onClick={() => act(timer.stop())}>
            Stop
          </button>
          <button type="button" className="button button-plain" onClick={() => act(timer.reset())}>
            Reset
          </button>
        </div>
        <Length key={view?.focusMs} focusMs={view?.focusMs} onSet={(duration) => act(timer.set({ duration }))} />
        <label className="timer-choice">
          <input
            type="checkbox"
            checked={view?.cycle != null}
            onChange={(event) => act(timer.set({ cycle: event.target.checked }))}
          />
          Cycle of focus and breaks
        </label>
        <label className="timer-choice">
          <input
            type="checkbox"
            checked={notify === true}
            onChange={(event) => act(timer.set({ notify: event.target.checked }))}
          />
          Notify me at the end
        </label>
      </div>
      {notice ? (
        <p className={`timer-notice timer-${notice.kind}`} role={notice.kind}>
          {notice.text}
        </p>
      ) : null}
    </section>
  );
}

const stateName = (state: string | undefined): string =>
  state === "running" ? "Running" : state === "finished" ? "Time is up" : "Stopped";

function Length({ focusMs, onSet }: { focusMs: number | undefined; onSet(duration: string): void }) {
  const [text, setText] = useState(focusMs === undefined ? usualTime : formatDuration(focusMs));
  const id = useId();
  function submit(event: SubmitEvent) {
    event.preventDefault();
    onSet(text.trim());
  }
  return (
    <form className="timer-length" onSubmit={submit}>
      <label htmlFor={id}>Length</label>
      <input id={id} value={text} onChange={(event) => setText(event.target.value)} maxLength={8} autoComplete="off" />
      <button type="submit" className="text-button">
        Set
      </button>
    </form>
  );
}
