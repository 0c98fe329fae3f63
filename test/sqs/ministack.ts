import { startMinistack } from '../stand-ins/ministack.ts';
import { bellsContract } from './bells-contract.ts';

// Set by scripts/test-sqs.ts, which makes the virtual environment.
const python = process.env.HOLDFAST_MINISTACK_PYTHON ?? '';

bellsContract('bells on SQS, ministack', () => startMinistack(python));
