/** Loaded before a server of the review: it answers on a port of loopback which functions the server has called. */
import { createServer } from 'node:http';
import { countCalledFunctions } from './called-functions.ts';

const called = await countCalledFunctions();
const server = createServer(async (_, response) => response.end(JSON.stringify(await called.take())));
server.listen(Number(process.env.REVIEW_CALLED_PORT), '127.0.0.1');
server.unref();
