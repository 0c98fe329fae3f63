/**
 * Ends this process and all that it has started when the run ends, however that ends: the run starts it as the leader of a
 * group of processes, and loads this file before its program.
 */
process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'));
// The channel to the run must not keep a process alive that would end by itself.
process.channel?.unref();
