const radius = 54;
const around = 2 * Math.PI * radius;

/** A ring that empties; `left` is what remains of it, from 1 to 0. */
export function TimerRing({ left, moving }: { left: number; moving: boolean }) {
  return (
    <svg className={moving ? "ring ring-moving" : "ring"} viewBox="0 0 120 120" aria-hidden="true">
      <circle className="ring-track" cx="60" cy="60" r={radius} />
      <circle
        className="ring-left"
        cx="60"
        cy="60"
        r={radius}
        strokeDasharray={around}
        strokeDashoffset={around * (1 - Math.min(1, Math.max(0, left)))}
      />
    </svg>
  );
}
