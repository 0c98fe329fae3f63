import { startMinistack } from '../stand-ins/ministack.ts';
import { bellsContract } from './broker-contract.ts';
import { bellsOnSqs } from './sqs-contract.ts';

// Set by scripts/test-sqs.ts, which makes the virtual environment.
const python = process.env.HOLDFAST_MINISTACK_PYTHON ?? '';

bellsContract('bells on SQS, ministack', () => startMinistack(python));
bellsOnSqs('bells on SQS beside the contract, ministack', () => startMinistack(python));
