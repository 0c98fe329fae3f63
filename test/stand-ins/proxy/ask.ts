import { amzJson, type Json } from './call.ts';
import type { Upstream } from './upstream.ts';

/** A request of the proxy's own. Rejects on anything but 200: what the proxy asks must work. */
export type Ask = (operation: string, body: Json) => Promise<Json>;

// The stand-in reads a signature's shape, never its truth.
const headers = {
  'content-type': amzJson,
  'x-amz-date': '20200101T000000Z',
  authorization:
    'AWS4-HMAC-SHA256 Credential=proxy/20200101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
};

/** `service`: what stands before the operation in the target header. */
export function askOf(upstream: Upstream, service: 'DynamoDB_20120810' | 'AmazonSQS'): Ask {
  return async (operation, body) => {
    const answer = await upstream.forward({
      method: 'POST',
      path: '/',
      headers: { ...headers, 'x-amz-target': `${service}.${operation}` },
      body: JSON.stringify(body),
    });
    if (answer.status !== 200) throw new Error(`The proxy's own ${operation} was answered ${answer.body}`);
    return JSON.parse(answer.body) as Json;
  };
}
