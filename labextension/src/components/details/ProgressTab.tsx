import * as React from 'react';

import type { IRecordList, ISamples } from '../../api/details';
import type { IProcess } from '../../api/types';
import { bytes, figure, percent } from '../../format/numbers';
import { isLive } from '../../model/status';
import { usePanel } from '../context';
import { ProgressLine } from '../ProgressLine';
import { FileList } from './FileList';
import { Plot } from './Plot';
import { useDetail } from './useDetail';

const MAX_PLOTS = 24;

/** Bars, plots of the record lists, CPU and memory over time, and the files being made. */
export function ProgressTab({ process }: { process: IProcess }): React.ReactElement {
  const { client, trans } = usePanel();
  const bars = useDetail(process, ['progress'], client.progress, 2).data?.bars ?? [];
  const metrics = useDetail(process, ['records'], client.metrics, 5);
  const samples = useDetail(process, ['resources'], id => client.resources(id, 3600), 5).data;
  const files = useDetail(process, ['files'], client.files, 10).data;
  const lists = metrics.data?.lists ?? [];
  const measured = samples !== null && samples.t.length > 1;
  const nothing = metrics.data !== null && !bars.length && !lists.length && !measured && !files?.files.length;
  return (
    <div className="tv-Progress">
      {metrics.error && <p className="tv-Trouble tv-mod-bad">{metrics.error}</p>}
      {nothing && (
        <p className="tv-Empty">
          {trans.__(
            'No record lists yet. vault.append_record("loss", …) makes one; vault.track(…) makes a bar.'
          )}
        </p>
      )}
      {isLive(process) && bars.map((bar, index) => <ProgressLine key={index} progress={bar} />)}
      {lists.slice(0, MAX_PLOTS).map(list => (
        <RecordPlots key={list.name} list={list} />
      ))}
      {measured && <ResourcePlots samples={samples} />}
      {files && <FileList files={files} />}
    </div>
  );
}

function RecordPlots({ list }: { list: IRecordList }): React.ReactElement {
  const { trans } = usePanel();
  const { x } = list;
  return (
    <section>
      <h3>
        {list.name} <span className="tv-Hint">{trans._n('%1 row', '%1 rows', list.rows)}</span>
      </h3>
      {list.series.length === 0 && <pre className="tv-Output">{JSON.stringify(list.last)}</pre>}
      {list.series.slice(0, MAX_PLOTS).map(series => (
        <Plot
          key={series.name}
          title={series.name}
          x={x.values}
          y={series.values}
          xLabel={x.name}
          xTime={false}
          format={figure}
        />
      ))}
    </section>
  );
}

function ResourcePlots({ samples }: { samples: ISamples }): React.ReactElement {
  const { trans } = usePanel();
  return (
    <section>
      <h3>{trans.__('Resources')}</h3>
      <Plot title={trans.__('CPU')} x={samples.t} y={samples.cpu} xLabel="" xTime format={percent} zero />
      <Plot title={trans.__('Memory')} x={samples.t} y={samples.rss} xLabel="" xTime format={bytes} zero />
    </section>
  );
}
