import * as React from 'react';

import { AnswerLine } from './AnswerLine';
import { HostLine } from './HostLine';

export function FootPane(): React.ReactElement {
  return (
    <>
      <AnswerLine />
      <HostLine />
    </>
  );
}
