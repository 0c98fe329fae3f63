import { amzJson, type Json } from './call.ts';
import type { Upstream } from './upstream.ts';

/**
 * Sends a request that the proxy makes itself to the stand-in behind it. Rejects unless the HTTP status is 200, since
 * such requests must succeed.
 */
export type SendUpstream = (operation: string, body: Json) => Promise<Json>;

// The stand-in checks the format of a request's signature, but not the signature itself.
const headers = {
  'content-type': amzJson,
  'x-amz-date': '20200101T000000Z',
  authorization:
    'AWS4-HMAC-SHA256 Credential=proxy/20200101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
};

/**
 * Creates the function that sends the proxy's own requests to one service. The service precedes the operation in the
 * `x-amz-target` header.
 */
export function upstreamSender(upstream: Upstream, service: 'DynamoDB_20120810' | 'AmazonSQS'): SendUpstream {
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
