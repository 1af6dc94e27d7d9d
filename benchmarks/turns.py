"Candidates in turns, each in a process of its own: what one does to the memory of its process helps or hurts no other."
import multiprocessing
import time


def _serve(pipe, build, given):
    try: run = build(**given)
    except ImportError as e: return pipe.send(e)
    pipe.send(None)
    while pipe.recv():
        start = time.perf_counter()
        result = run()
        pipe.send((time.perf_counter() - start, result))


class Candidate:
    "A function built in another process; calling it gives seconds and its result."
    def __init__(self, build, given):
        context = multiprocessing.get_context('spawn')
        self.name, (self.pipe, far) = build.__name__, context.Pipe()
        self.process = context.Process(target=_serve, args=(far, build, given), daemon=True)
        self.process.start()
        far.close()

    def wait(self):
        "Until it is built; raises what went wrong there."
        try: error = self.pipe.recv()
        except EOFError: raise RuntimeError(f'{self.name} died while it was built') from None
        if error: raise error

    def __call__(self):
        self.pipe.send(True)
        return self.pipe.recv()

    def close(self):
        self.pipe.send(False)
        self.process.join()


def in_turns(makers, rounds, between=None, missing=print):
    "Seconds and results of each candidate, one call a round: A B C A B C ...; `between` runs once a round."
    # all at once: starting is slow
    candidates = {name: Candidate(build, given) for name, (build, given) in makers.items()}
    for name, candidate in list(candidates.items()):
        try: candidate.wait()
        except ImportError as e: missing(f'{name} is left out: {e} (pip install "rt_embedding[bench]")')
        else: continue
        del candidates[name]
    for run in candidates.values(): run()
    seconds, results, extra = {k: [] for k in candidates}, {k: [] for k in candidates}, []
    for _ in range(rounds):
        for name, run in candidates.items():
            s, r = run()
            seconds[name].append(s)
            results[name].append(r)
        if between: extra.append(between())
    for run in candidates.values(): run.close()
    return seconds, results, extra
