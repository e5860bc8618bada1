import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** Parses the bytes of a flag: 25000000, 25MB, 25MiB. */
export function byteSize(text: string): number {
  const [, digits, unit = ""] = /^([1-9]\d{0,14})([kmg]i?b)?$/i.exec(text.trim()) ?? [];
  const bytes = Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError("expected bytes, as 25000000, 25MB or 25MiB");
  return bytes;
}
