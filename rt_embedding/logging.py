# TEMPORARY stub, overwritten by chapter 00
import json, time
from pathlib import Path
class ModelLogger:
    def __init__(self, name='model'): self.active = False
    def tensor(self, *a): pass
    def info(self, *a): pass
class TrainingLogger:
    def __init__(self, log_dir='logs', experiment_name='training', resume_step=None, progress=None, total_steps=None):
        self.p = Path(log_dir)/'metrics.jsonl'; self.p.parent.mkdir(parents=True, exist_ok=True)
        if resume_step is not None and self.p.exists():
            keep = [l for l in self.p.read_text().splitlines() if json.loads(l).get('step', 0) <= resume_step]
            self.p.write_text(''.join(l+'\n' for l in keep))
        self.f = open(self.p, 'a')
    def w(self, **k): self.f.write(json.dumps(k)+'\n'); self.f.flush()
    def log_config(self, c): self.w(event='config', **c)
    def log_info(self, s): print(s)
    def log_warning(self, s): print(s)
    def log_train_step(self, **k): self.w(event='train', **k)
    def log_validation(self, **k): self.w(event='validation', **k)
    def log_checkpoint(self, **k): self.w(event='checkpoint', **k)
    def close(self): self.f.close()
