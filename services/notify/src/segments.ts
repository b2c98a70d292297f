/** How many SMS a text takes: 160 characters of GSM-7 or 70 UTF-16 units, and a little less for each part of a longer one. */

const gsmBasic = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
/** These take two places: an escape and the character. */
const gsmExtended = new Set("\f^{}\\[~]|€");

export interface Segments {
  encoding: "GSM-7" | "UCS-2";
  segments: number;
}

export function countSegments(text: string): Segments {
  const gsm = [...text].every((char) => gsmBasic.has(char) || gsmExtended.has(char));
  // Neither an escaped character nor a surrogate pair may be cut in two.
  const widths = Array.from(text, (char) => (gsm ? (gsmExtended.has(char) ? 2 : 1) : char.length));
  const [alone, part] = gsm ? [160, 153] : [70, 67];
  const encoding = gsm ? "GSM-7" : "UCS-2";
  const total = widths.reduce((sum, width) => sum + width, 0);
  if (total <= alone) return { encoding, segments: 1 };
  let segments = 1;
  let used = 0;
  for (const width of widths) {
    if (used + width > part) {
      segments++;
      used = 0;
    }
    used += width;
  }
  return { encoding, segments };
}
