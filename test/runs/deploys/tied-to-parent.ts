/**
 * Ends this process when its parent ends, however that ends. Each process of `npm run deploys` loads this file before
 * its program, by `--import`, so that also `holdfast serve` and `holdfast worker` are tied to the run.
 */
process.once('disconnect', () => process.exit(1));
// The channel to the parent must not keep a process alive that would end by itself.
process.channel?.unref();
