"""The machine: processes and host vitals by psutil; namespaces, files, signals and sysctls by system calls."""
