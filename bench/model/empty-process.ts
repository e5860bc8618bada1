/** The start of Node itself: what a cold start is measured from. Sends as the others do, without loading their module. */
process.send?.([], undefined, undefined, () => process.disconnect());
