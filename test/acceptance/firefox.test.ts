/** Debian's Firefox, another engine altogether, against Node: the same recorded cases as in Chromium, with and without cross-origin isolation. */
import { suite } from "uvu";
import { checkCases, checkPictures } from "../support/browser-cases.js";
import { type FirefoxPage, firefoxInstalled, withFirefox } from "../support/firefox.js";
import { PageServer } from "../support/page-server.js";

/** What Firefox 153 makes of the JPEG and WebP that are recorded differs from Pillow's by so much at most. */
const LEVELS = 2;

const test = suite("firefox");

async function visit(page: FirefoxPage, isolated: boolean, work: () => Promise<void>): Promise<void> {
  const server = await PageServer.start({ isolated });
  try {
    await page.goto(server.url);
    await work();
  } finally {
    await server.close();
  }
}

if (firefoxInstalled()) {
  test("every recorded case and picture", () =>
    withFirefox(async (page) => {
      await visit(page, true, async () => {
        await checkCases(page, 2);
        await checkPictures(page, LEVELS);
      });
      await visit(page, false, () => checkCases(page, 1));
    }));
}

test.run();
