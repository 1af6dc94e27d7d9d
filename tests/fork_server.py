"""A process that has imported the package once and forks for each command, so that a test need not import PyTorch
again: `python -c "import fork_server; fork_server.serve()"`. It reads one JSON object a line: the code, its arguments,
the working folder, two files for the output; it answers with the process number, and with the exit code at the end."""
import json
import os
import sys
from importlib import import_module

HEAVY = 'torch', 'safetensors.torch', 'sentencepiece', 'loguru', 'tqdm', 'fastcore.script'


def load():
    "Import what the commands import, and nothing else."
    from rt_embedding.doors import COMMANDS
    for name in HEAVY: import_module(name)
    for module, _ in COMMANDS.values(): import_module(f'rt_embedding.{module}')


def become(job):
    "In the forked process: take the place of the command, as if Python had just begun."
    for number, path in enumerate((os.devnull, job['out'], job['err'])):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.chdir(job['cwd'])
    sys.argv[1:] = job['args']
    exec(compile(job['code'], '<string>', 'exec'), sys.modules['__main__'].__dict__)


def serve():
    "Fork for each job until the other side closes the pipe."
    jobs, answers = os.fdopen(os.dup(0), encoding='utf-8'), os.dup(1)
    load()
    for line in iter(jobs.readline, ''):
        child = os.fork()
        if child == 0:
            jobs.close()
            os.close(answers)
            return become(json.loads(line))
        os.write(answers, f'{child}\n'.encode())
        os.write(answers, f'{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n'.encode())
