import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { bellsContract } from './broker-contract.ts';
import { bellsOnSqs } from './sqs-contract.ts';

bellsContract('bells on SQS, fauxqs', startFauxqs);
bellsOnSqs('bells on SQS beside the contract, fauxqs', startFauxqs);
