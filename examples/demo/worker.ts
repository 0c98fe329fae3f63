import { defineWorker, handle } from 'holdfast';
import { deliver } from './contract.ts';

const receiver = process.env.RECEIVER_URL ?? 'http://127.0.0.1:9';

/**
 * Delivers a webhook over HTTP. Any answer other than 2xx fails the attempt, which is then retried. If the receiver
 * does not answer, the attempt's signal cancels the request at the attempt's timeout.
 */
const webhook = handle(
  deliver,
  async ({ delivery, event, lane, body }, { signal, fencingToken, attempt }) => {
    const headers = {
      'content-type': 'application/json',
      'x-github-delivery': delivery,
      'x-github-event': event,
      'x-lane': lane,
      'x-attempt': String(attempt),
      'x-worker': process.env.WORKER_NAME ?? '',
      'x-fencing-token': String(fencingToken),
    };
    const response = await fetch(receiver, { method: 'POST', headers, body: JSON.stringify(body), signal });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`the receiver answered ${response.status}`);
    return { status: response.status };
  },
);

export default defineWorker({ concurrency: 8, handlers: [webhook] });
