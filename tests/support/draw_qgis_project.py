"""Draws the map of a QGIS project, run by a Python that has QGIS: SCRIPT PROJECT PNG."""

import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"
from qgis.core import (
    QgsApplication,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsReferencedRectangle,
)
from qgis.PyQt.QtCore import QSize


def main(project_file: str, picture: str) -> None:
    application = QgsApplication([], False)
    application.initQgis()
    project = QgsProject.instance()
    if not project.read(project_file):
        sys.exit(f"QGIS cannot read {project_file}: {project.error()}")
    root = project.layerTreeRoot()
    settings = QgsMapSettings()
    settings.setLayers([x for x in root.layerOrder() if root.findLayer(x.id()).isVisible()])
    settings.setDestinationCrs(project.crs())
    view: QgsReferencedRectangle = project.viewSettings().defaultViewExtent()
    settings.setExtent(view.buffered(0.02 * view.width()))
    settings.setOutputSize(QSize(900, round(900 * view.height() / view.width())))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    if job.errors() or not job.renderedImage().save(picture):
        sys.exit(f"not drawn: {[error.message for error in job.errors()]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
