#!/usr/bin/env bash
# One would guess: a quantised model gives a text one vector, alone or in a batch.
# What happens: dynamic quantisation takes one scale for the whole activation tensor: a row multiplied beside a row of
#   larger numbers comes out different than alone, by far more than rounding in 32 bits; the same row twice in one
#   batch stays equal.
# Who it hurts: an index that is built in batches and asked with single queries, or updated in batches of another
#   make-up. Quantise statically, or encode always in the same company.
# Seen with onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

rng = np.random.default_rng(0)
weights = numpy_helper.from_array(rng.normal(size=(64, 32)).astype(np.float32), 'w')
graph = helper.make_graph([helper.make_node('MatMul', ['x', 'w'], ['y'])], 'product',
                          [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['rows', 64])],
                          [helper.make_tensor_value_info('y', TensorProto.FLOAT, ['rows', 32])], [weights])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=9), 'm.onnx')
quantize_dynamic('m.onnx', 'm8.onnx', weight_type=QuantType.QInt8, extra_options=dict(MatMulConstBOnly=True))


def difference(path):
    "How far a row moves when it is multiplied beside a larger one, relative to its length."
    session = ort.InferenceSession(path, providers=['CPUExecutionProvider'])
    row, large = rng.normal(size=(1, 64)).astype(np.float32), 20*rng.normal(size=(1, 64)).astype(np.float32)
    alone, beside = (session.run(None, dict(x=x))[0][0] for x in (row, np.vstack([row, large])))
    return float(np.linalg.norm(alone - beside)/np.linalg.norm(alone))


print(f'float32 {difference("m.onnx"):.1e}, int8 {difference("m8.onnx"):.1e}')
assert difference('m.onnx') < 1e-5 and difference('m8.onnx') > 1e-2
PY
