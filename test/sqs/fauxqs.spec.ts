import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { brokerContract } from './broker-contract.ts';
import { brokerOnSqs } from './sqs-contract.ts';

brokerContract('broker on SQS, fauxqs', startFauxqs);
brokerOnSqs('behaviour of the SQS broker beyond the contract, fauxqs', startFauxqs);
