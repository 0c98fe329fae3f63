/**
 * Main program of the stand-ins for AWS: a DynamoDB table, and SQS behind a proxy that ends a long poll when its caller
 * ends. They have a process of their own, so that they end with the run.
 */
import { startDynoxide } from '../../stand-ins/dynoxide.ts';
import { startFauxqs } from '../../stand-ins/fauxqs.ts';
import { startSqsProxy } from '../../stand-ins/proxy/sqs-proxy.ts';

/** The interval at which the recorded calls of the SQS stand-in are dropped, since the stand-in records every call. */
const forgetMs = 1_000;

const seed = Number(process.argv[2]);
const [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
const proxy = await startSqsProxy({ upstream: sqs.endpoint, seed });
setInterval(() => sqs.front.forget(), forgetMs);
process.once('SIGTERM', () => process.exit(0));
console.log(JSON.stringify({ dynamodb: dynoxide.endpoint, sqs: proxy.url }));
