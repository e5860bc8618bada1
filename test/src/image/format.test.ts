import { suite } from "uvu";
import * as assert from "uvu/assert";
import { describeContent, imageFormat } from "#dist/image/format.js";

const test = suite("image/format");
const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

test("the three formats by their signatures, whole or not at all", () => {
  const signatures = { jpeg: "\xff\xd8\xff", png: "\x89PNG\r\n\x1a\n", webp: "RIFF\x10\0\0\0WEBP" };
  for (const [format, signature] of Object.entries(signatures)) {
    assert.is(imageFormat(bytes(`${signature}rest`)), format);
    assert.is(imageFormat(bytes(signature)), format);
    assert.is(imageFormat(bytes(signature.slice(0, -1))), undefined);
    assert.is(imageFormat(bytes(` ${signature}`)), undefined);
  }
  assert.is(imageFormat(bytes("RIFF\x10\0\0\0WAVE")), undefined);
  assert.is(imageFormat(new Uint8Array()), undefined);
});

test("everything else is named, or shown", () => {
  const table: [string, RegExp][] = [
    ["GIF89a", /^a GIF$/],
    ["BM", /^a BMP$/],
    ["II*\0", /^a TIFF$/],
    ["MM\0*", /^a TIFF$/],
    ["\0\0\0\x1cftypavif", /^an AVIF$/],
    ["\0\0\0\x1cftypheic", /^a HEIC$/],
    ["\0\0\0\x1cftypmif1", /^a HEIC$/],
    ["\xff\x0a", /^a JPEG XL$/],
    ["\0\0\0\x0cJXL ", /^a JPEG XL$/],
    ["%PDF-1.7", /^a PDF$/],
    ["%!PS-Adobe", /^a PostScript file$/],
    ["<svg/>", /^an SVG$/],
    ["<?xml version", /^XML or SVG$/],
    ["<!DOCTYPE svg [", /^XML or SVG$/],
    ["<!DOCTYPE html>", /^a page of HTML$/],
    ["<html>", /^a page of HTML$/],
    ["version https://git-lfs.github.com/spec/v1", /Git LFS pointer/],
    ["", /^no bytes$/],
    ["hello, world", /^12 bytes that begin with 68 65 6c 6c 6f 2c 20 77$/],
  ];
  for (const [text, expected] of table) assert.match(describeContent(bytes(text)), expected);
});

test.run();
