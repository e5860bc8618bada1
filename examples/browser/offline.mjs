// Registers the service worker, and says when the page works without a network.
import { sentence } from "./dom.mjs";

/** @param {HTMLElement} line */
export async function keepForOffline(line) {
  try {
    // Its scope holds the library's workers and the model, too: serve.mjs allows that.
    await navigator.serviceWorker.register(new URL("./service-worker.mjs", import.meta.url), {
      scope: new URL("../../", import.meta.url).href,
    });
    await navigator.serviceWorker.ready;
    line.textContent = "Kept for visits without a network.";
  } catch (error) {
    line.textContent = `Not kept for visits without a network: ${sentence(error)}`;
  }
}
