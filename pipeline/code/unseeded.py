"""What of scikit-learn draws random numbers where no `random_state` is given: by default, or by an option."""

from __future__ import annotations

_BY_MODULE = {
    "cluster": (
        "AffinityPropagation BisectingKMeans KMeans MiniBatchKMeans SpectralBiclustering SpectralClustering "
        "SpectralCoclustering"
    ),
    "covariance": "EllipticEnvelope MinCovDet",
    "decomposition": (
        "DictionaryLearning FastICA LatentDirichletAllocation MiniBatchDictionaryLearning MiniBatchNMF "
        "MiniBatchSparsePCA NMF PCA SparsePCA TruncatedSVD"
    ),
    "ensemble": (
        "AdaBoostClassifier AdaBoostRegressor BaggingClassifier BaggingRegressor ExtraTreesClassifier "
        "ExtraTreesRegressor GradientBoostingClassifier GradientBoostingRegressor "
        "HistGradientBoostingClassifier HistGradientBoostingRegressor IsolationForest "
        "RandomForestClassifier RandomForestRegressor RandomTreesEmbedding"
    ),
    "feature_extraction.image": "PatchExtractor",
    "feature_selection": "mutual_info_classif mutual_info_regression",
    "inspection": "permutation_importance",
    "kernel_approximation": "Nystroem PolynomialCountSketch RBFSampler SkewedChi2Sampler",
    "linear_model": (
        "PassiveAggressiveClassifier PassiveAggressiveRegressor Perceptron RANSACRegressor "
        "SGDClassifier SGDOneClassSVM SGDRegressor TheilSenRegressor"
    ),
    "manifold": "MDS SpectralEmbedding TSNE",
    "mixture": "BayesianGaussianMixture GaussianMixture",
    "model_selection": (
        "GroupShuffleSplit RandomizedSearchCV RepeatedKFold RepeatedStratifiedKFold ShuffleSplit "
        "StratifiedShuffleSplit train_test_split"
    ),
    "multiclass": "OutputCodeClassifier",
    "neural_network": "BernoulliRBM MLPClassifier MLPRegressor",
    "preprocessing": "KBinsDiscretizer QuantileTransformer TargetEncoder",
    "random_projection": "GaussianRandomProjection SparseRandomProjection",
    "svm": "LinearSVC LinearSVR",
    "tree": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
    "utils": "resample shuffle",
}  # fmt: skip

ALWAYS = tuple(f"sklearn.{home}.{name}" for home, names in _BY_MODULE.items() for name in names.split())
"""By default, if not of all data: `PCA` and boosting draw where there is much, trees where splits tie."""

ONLY_WHERE: tuple[tuple[tuple[str, ...], str, tuple[object, ...]], ...] = (
    (
        ("sklearn.linear_model.LogisticRegression", "sklearn.linear_model.LogisticRegressionCV"),
        "solver",
        ("sag", "saga", "liblinear"),
    ),
    (("sklearn.linear_model.Ridge", "sklearn.linear_model.RidgeClassifier"), "solver", ("sag", "saga")),
    (
        ("sklearn.linear_model.Lasso", "sklearn.linear_model.ElasticNet"),
        "selection",
        ("random",),
    ),
    (("sklearn.svm.SVC", "sklearn.svm.NuSVC"), "probability", (True,)),
    (("sklearn.dummy.DummyClassifier",), "strategy", ("stratified", "uniform")),
    (
        ("sklearn.model_selection.KFold", "sklearn.model_selection.StratifiedKFold"),
        "shuffle",
        (True,),
    ),
)
"""Names that draw where an option has one of some values."""
