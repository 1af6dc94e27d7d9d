"Packaging, read from settings.ini. Only the standard library and setuptools may be imported here."
from configparser import ConfigParser
from pathlib import Path
import shlex
import setuptools

here = Path(__file__).parent
parser = ConfigParser(delimiters=['='])
parser.read(here/'settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']

# every key `<name>_requirements` becomes the extra `<name>`; `all` is what a user (not a developer) may want
suffix = '_requirements'
extras = {k[:-len(suffix)]: shlex.split(cfg[k]) for k in cfg if k.endswith(suffix)}
extras['all'] = sorted({r for name, reqs in extras.items() if name not in ('dev', 'bench', 'mteb', 'colab')
                        for r in reqs})
readme = here/'README.md'

setuptools.setup(
    name=cfg['lib_name'], version=cfg['version'], description=cfg['description'],
    long_description=readme.read_text(encoding='utf-8') if readme.exists() else '',
    long_description_content_type='text/markdown', author=cfg['author'], author_email=cfg['author_email'],
    url=cfg['git_url'], license='Apache-2.0', keywords=cfg['keywords'],
    packages=setuptools.find_packages(include=[cfg['lib_path'], cfg['lib_path'] + '.*']),
    package_data={cfg['lib_path']: ['assets/*', 'models/*/*']},  # pages, and the model that comes with the package
    install_requires=shlex.split(cfg['requirements']), extras_require=extras,
    python_requires='>=' + cfg['min_python'], zip_safe=False,
    entry_points={'console_scripts': cfg.get('console_scripts', '').split(),
                  'nbdev': [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"]})
