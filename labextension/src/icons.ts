import { LabIcon } from '@jupyterlab/ui-components';

import processes from '../style/icons/processes.svg';

export const processesIcon = new LabIcon({ name: 'tablevault:processes', svgstr: processes });
