/** The worker of the drill, which `holdfast worker` runs. */
import { defineWorker } from '../../../src/index.ts';
import { queues } from './contract.ts';
import { booking, charging, concurrency, sending } from './handlers.ts';

export default defineWorker({ queues, handlers: [charging, sending, booking], concurrency });
