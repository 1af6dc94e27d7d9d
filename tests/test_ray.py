"Embedding with Ray: the vectors of `encode`, file by file; what is done is not done again."
import numpy as np
import pytest

from helpers import sentences


@pytest.mark.slow
def test_ray_embeds_files_and_goes_on(tokenizer, tmp_path):
    ray = pytest.importorskip('ray')
    from rt_embedding.encoder import EmbeddingModel
    from rt_embedding.scaling import embed_with_ray
    from rt_embedding.tokenizer import SentencePieceTokenizer
    tok = SentencePieceTokenizer(tokenizer)
    model = EmbeddingModel(len(tok), embedding_dim=16, context_window=24, hidden_dim=32, n_layers=1, n_heads=2, tokenizer=tok).eval()
    model.save_pretrained(tmp_path/'model')
    texts = sentences(900)
    (tmp_path/'in').mkdir()
    for k in range(3): (tmp_path/'in'/f'{k}.txt').write_text('\n'.join(texts[300*k:300*(k + 1)]) + '\n', encoding='utf-8')
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level='ERROR')
    try:
        done = embed_with_ray(tmp_path/'model', tmp_path/'in', tmp_path/'out')
        assert [d['rows'] for d in done] == [300]*3
        (tmp_path/'out'/'1.txt.npy').unlink()
        assert [d['rows'] for d in embed_with_ray(tmp_path/'model', tmp_path/'in', tmp_path/'out')] == [300]
    finally: ray.shutdown()
    got = np.concatenate([np.load(tmp_path/'out'/f'{k}.txt.npy') for k in range(3)])
    np.testing.assert_allclose(got, model.encode(texts), atol=1e-6)
