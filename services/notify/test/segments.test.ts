import assert from "node:assert/strict";
import test from "node:test";
import { countSegments } from "../src/segments.ts";

const cases: [what: string, text: string, encoding: string, segments: number][] = [
  ["one letter", "a", "GSM-7", 1],
  ["160 of GSM-7", "a".repeat(160), "GSM-7", 1],
  ["161 of GSM-7", "a".repeat(161), "GSM-7", 2],
  ["306, two full parts", "a".repeat(306), "GSM-7", 2],
  ["307", "a".repeat(307), "GSM-7", 3],
  ["80 euro signs are 160", "€".repeat(80), "GSM-7", 1],
  ["an escaped character is not cut in two", `${"a".repeat(152)}€${"a".repeat(152)}`, "GSM-7", 3],
  ["accents that GSM-7 has", "àéìòù ÄÖÜß ñ", "GSM-7", 1],
  ["an accent that it lacks", "ç".repeat(70), "UCS-2", 1],
  ["71 of UCS-2", "ç".repeat(71), "UCS-2", 2],
  ["an emoji is two", "😀".repeat(35), "UCS-2", 1],
  ["a surrogate pair is not cut in two", `${"ç".repeat(66)}😀${"ç".repeat(66)}`, "UCS-2", 3],
  ["nothing", "", "GSM-7", 1],
];

for (const [what, text, encoding, segments] of cases)
  test(`segments: ${what}`, () => assert.deepEqual(countSegments(text), { encoding, segments }));
