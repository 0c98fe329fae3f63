import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { sqsClient } from '../../src/engines/aws/broker/sqs/calls.ts';
import type { SqsFront } from './sqs-front.ts';

/** A running stand-in for SQS. */
export interface SqsStandIn {
  /**
   * The URL, `http://127.0.0.1:port`, of the proxy in front of the stand-in. The proxy refuses receipt handles as AWS
   * does.
   */
  readonly endpoint: string;
  readonly front: SqsFront;
  /**
   * Sets the stand-in's clock to `nowMs`, where it stands still until the next `setTime`. 0 selects the machine's
   * clock.
   */
  setTime(nowMs: number): void;
  stop(): Promise<void>;
}

/** Creates an SQS client for a stand-in, with the settings of the aws engine's own client. */
export function standInClient(endpoint: string, config: SQSClientConfig = {}): SQSClient {
  return sqsClient({
    endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    // The queue URLs of stand-ins name hosts that do not exist.
    useQueueUrlAsEndpoint: false,
    ...config,
  });
}
