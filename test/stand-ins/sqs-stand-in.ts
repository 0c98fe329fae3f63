import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { sqsClient } from '../../src/engines/aws/broker/sqs/calls.ts';
import type { SqsFront } from './sqs-front.ts';

/** A running SQS to test on. */
export interface SqsStandIn {
  /** `http://127.0.0.1:port`, of the front that judges handles as AWS does. */
  readonly endpoint: string;
  readonly front: SqsFront;
  /** Only where it was started with time of the test: from now on it is `nowMs` there, until set again. */
  setTime(nowMs: number): void;
  stop(): Promise<void>;
}

/** A client as the engine's own, for a stand-in. */
export function standInClient(endpoint: string, config: SQSClientConfig = {}): SQSClient {
  return sqsClient({
    endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    // Stand-ins name queues by hosts that do not exist.
    useQueueUrlAsEndpoint: false,
    ...config,
  });
}
