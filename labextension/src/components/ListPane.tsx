import * as React from 'react';

import { Empty } from './Empty';
import { Toolbar } from './Toolbar';
import { Tree } from './Tree';
import { Trouble } from './Trouble';
import { useModel } from './context';

/** The upper half: toolbar and tree. */
export function ListPane(): React.ReactElement {
  const model = useModel();
  return (
    <>
      <Toolbar />
      <Trouble />
      {model.rows.length > 0 ? <Tree /> : <Empty />}
    </>
  );
}
