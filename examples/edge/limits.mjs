// What a request may ask for; GET /v1/models tells. An isolate has 128 MB, so bodies that wait are counted together, too.
export const LIMITS = {
  /** Bytes of a body: 413. */
  bodyBytes: 8 << 20,
  /** Seconds it may take to come: 408. */
  bodySeconds: 30,
  /** Seconds that what a refused request still sends is read. */
  drainSeconds: 5,
  /** Pixels of a picture, asked of its header before it is decoded: 422. 1920 x 1080 is allowed. */
  pixels: 2 ** 21,
  /** Pictures of a request: 422. Several take more than 128 MB, by their bodies alone. */
  images: 1,
  /** Characters of a question or a prompt: 422. */
  promptCharacters: 8192,
  /** Positions of the sequence, those of the picture included: 422. Of 2048 numbers each, a thousand more take about 25 MB. */
  positions: 1024,
  /** Values of a JSON body, and parts of a form: 422. */
  values: 1 << 14,
  parts: 16,
  /** Requests that are computed or wait: 429. */
  requests: 32,
  /** Bytes of their bodies, as far as they have come: 503. */
  waitingBytes: 12 << 20,
  /** Seconds a request may take, its turn included, before the model is taken for lost and made anew: 503. */
  seconds: 300,
};

/** What a client that was turned away should wait, s. */
export const RETRY_AFTER = "5";
