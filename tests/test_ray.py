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
    model = EmbeddingModel(len(tok), embedding_dim=16, context_window=24, hidden_dim=32, n_layers=1, n_heads=2,
                           tokenizer=tok).eval()
    model.save_pretrained(tmp_path/'model')
    texts = sentences(900)
    (tmp_path/'in').mkdir()
    for k in range(3):
        (tmp_path/'in'/f'{k}.txt').write_text('\n'.join(texts[300*k:300*(k + 1)]) + '\n', encoding='utf-8')
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level='ERROR')
    try:
        assert embed_with_ray(tmp_path/'model', tmp_path/'in', tmp_path/'out') == dict(files=3, finished=0, rows=900)
        (tmp_path/'out'/'in'/'1.txt.npy').unlink()
        again = embed_with_ray(tmp_path/'model', tmp_path/'in', tmp_path/'out')
        assert again == dict(files=1, finished=2, rows=300)
    finally: ray.shutdown()
    got = np.concatenate([np.load(tmp_path/'out'/'in'/f'{k}.txt.npy') for k in range(3)])
    np.testing.assert_allclose(got, model.encode(texts), atol=1e-6)
