"""The panel and the real server together: real kernels and scripts in a real JupyterLab, driven in a real Chromium."""
