const paths = {
  back: "M15 5l-7 7 7 7",
  bell: "M6 16.500V11a6 6 0 0 1 12 0v5.500l1.500 2h-15zM10 20.500a2 2 0 0 0 4 0",
  clock: "M12 3.500a8.500 8.500 0 1 0 0 17a8.500 8.500 0 1 0 0-17M12 7.500V12l3 2",
  close: "M6 6l12 12M18 6L6 18",
  delete: "M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12",
  down: "M6 10l6 6 6-6",
  edit: "M5 19l1-4L16 5l3 3L9 18z",
  help: "M12 3.500a8.500 8.500 0 1 0 0 17a8.500 8.500 0 1 0 0-17M9.500 9.500a2.500 2.500 0 1 1 3.500 2.300q-1 .500-1 1.700M12 16.500v.100",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z",
  phone: "M8 3.500h8v17H8zM11 17.500h2",
  plus: "M12 5v14M5 12h14",
  reply: "M10 6l-5 5 5 5M5 11h8a6 6 0 0 1 6 6v1",
  send: "M5 12h13M12.500 5.500L19 12l-6.500 6.500",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M13 7a2 2 0 1 0 4 0a2 2 0 1 0-4 0M7 17a2 2 0 1 0 4 0a2 2 0 1 0-4 0",
  signOut: "M14 5H7v14h7M11 12h9M17 8.500l3.500 3.500-3.500 3.500",
  sun: "M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8M12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
};

/** A drawing beside, or instead of, words that are there for those who don't see it. */
export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
