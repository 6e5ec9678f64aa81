"""Gets packages from the npm and Debian registries with their own clients and unpacks them. Knows not what for."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

from flashsight.core.errors import ConfigError

_FAMILIES = (
    "archivo@0.4.2", "arimo@0.4.3", "barlow@0.4.1", "bitter@0.4.2", "dm-sans@0.4.2", "exo-2@0.4.2", "figtree@0.4.1",
    "fira-sans@0.4.1", "hind@0.4.1", "ibm-plex-mono@0.4.1", "ibm-plex-sans@0.4.1", "karla@0.4.2", "lexend@0.4.1",
    "libre-baskerville@0.4.3", "libre-franklin@0.4.2", "lora@0.4.2", "manrope@0.4.2", "merriweather@0.4.2",
    "montserrat@0.4.2", "mulish@0.4.2", "nunito@0.4.2", "oswald@0.4.2", "outfit@0.4.3", "playfair-display@0.4.2",
    "plus-jakarta-sans@0.4.2", "poppins@0.4.1", "pt-sans@0.4.1", "pt-serif@0.4.1", "raleway@0.4.2",
    "roboto-condensed@0.4.2", "roboto-slab@0.4.2", "rubik@0.4.2", "source-code-pro@0.4.1", "source-sans-3@0.4.1",
    "source-serif-4@0.4.1", "tinos@0.4.2", "ubuntu@0.4.1", "work-sans@0.4.2", "zcool-kuaile@0.4.2",
    "zcool-qingke-huangyou@0.4.1", "zcool-xiaowei@0.4.1",
)  # fmt: skip
NPM: tuple[str, ...] = (
    "openmoji@17.0.0",
    "@iconify-json/fluent-emoji-flat@1.2.6",
    "@iconify-json/noto@1.2.9",
    "@iconify-json/twemoji@1.2.5",
    "@iconify-json/emojione@1.2.3",
    "@icon-park/svg@1.4.2",
    "@iconify-json/noto-v1@1.2.5",
    "@iconify-json/fluent-emoji-high-contrast@1.2.6",
    "@iconify-json/fxemoji@1.2.2",
    "@iconify-json/streamline-emojis@1.2.4",
    "@iconify-json/tabler@1.2.41",
    "@iconify-json/lucide@1.2.137",
    "@iconify-json/ph@1.2.2",
    "@iconify-json/mdi@1.2.3",
    "@iconify-json/bi@1.2.7",
    "@iconify-json/fluent-emoji@1.2.7",
    "@iconify-json/fluent-color@1.2.21",
    "@iconify-json/flat-color-icons@1.2.3",
    "@iconify-json/streamline-kameleon-color@1.2.2",
    "element-plus@2.14.8",
    "bootstrap@5.3.9",
    "antd@4.24.16",
    "vant@4.10.2",
    "bulma@1.0.4",
    "uikit@3.25.29",
    "layui@2.13.6",
    "@arco-design/web-vue@2.59.0",
    "@picocss/pico@2.1.1",
    "weui@2.6.26",
    *(f"@expo-google-fonts/{family}" for family in _FAMILIES),
)
DEBIAN: tuple[str, ...] = (
    "fonts-noto-cjk",
    "fonts-wqy-microhei",
    "fonts-wqy-zenhei",
    "fonts-arphic-gbsn00lp",
    "fonts-arphic-gkai00mp",
    "fonts-lxgw-wenkai",
    "fonts-smiley-sans",
    "fonts-lato",
    "fonts-open-sans",
    "fonts-roboto-unhinted",
    "fonts-firacode",
    "fonts-cantarell",
    "fonts-comfortaa",
    "fonts-inter",
    "fonts-quicksand",
    "fonts-noto-core",
    "fonts-jetbrains-mono",
    "fonts-vollkorn",
    "fonts-crosextra-carlito",
    "fonts-crosextra-caladea",
    "fonts-urw-base35",
    "fonts-ebgaramond",
    "fonts-freefont-ttf",
    "fonts-dejavu-core",
    "fonts-liberation",
    "nautilus-data",
    "gnome-control-center-data",
    "gnome-software-common",
    "libgtk-3-common",
    "evince-common",
    "gedit-common",
    "tuxpaint-stamps-default",
    "openclipart-png",
    "gcompris-qt-data",
    "python3-jieba",
    "wamerican-small",
)


def _run(command: list[str], folder: Path) -> None:
    tool = shutil.which(command[0])
    if tool is None:
        raise ConfigError(f"fetching the demo's material needs `{command[0]}`; install it, or run this on Debian")
    done = subprocess.run([tool, *command[1:]], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ConfigError(f"`{' '.join(command)}` failed: {done.stderr.strip().splitlines()[-1:]}")


def _npm(package: str, downloads: Path, unpacked: Path) -> None:
    name, _, version = package.rpartition("@")
    archive = downloads / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
    if not archive.exists():
        _run(["npm", "pack", "--silent", package], downloads)
    target = unpacked / name.rpartition("/")[2]
    if not target.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")


def _debian(package: str, downloads: Path, unpacked: Path) -> None:
    if not any(downloads.glob(f"{package}_*.deb")):
        _run(["apt-get", "download", "-qq", package], downloads)
    target = unpacked / package
    if not target.exists():
        archive = next(iter(sorted(downloads.glob(f"{package}_*.deb"))))
        _run(["dpkg-deb", "-x", str(archive.resolve()), str(target.resolve())], downloads)


def unpack_all(downloads: Path) -> Path:
    """Download what is missing into `downloads`; return the folder with one unpacked folder per package.

    Raises ConfigError when npm, apt-get or dpkg-deb is missing or a registry refuses.
    """
    unpacked = downloads / "unpacked"
    unpacked.mkdir(parents=True, exist_ok=True)
    for package in NPM:
        _npm(package, downloads, unpacked)
    for package in DEBIAN:
        _debian(package, downloads, unpacked)
    return unpacked
